package enum LinajeConformancePlaceholder {}
