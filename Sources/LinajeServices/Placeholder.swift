package enum LinajeServicesPlaceholder {}
