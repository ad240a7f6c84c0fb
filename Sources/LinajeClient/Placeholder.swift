package enum LinajeClientPlaceholder {}
