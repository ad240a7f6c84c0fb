package enum LinajeCommandsPlaceholder {}
