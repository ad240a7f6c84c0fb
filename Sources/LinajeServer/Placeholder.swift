package enum LinajeServerPlaceholder {}
