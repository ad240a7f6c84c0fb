package enum LinajeMetricsPlaceholder {}
