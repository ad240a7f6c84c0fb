package enum LinajeTransportPlaceholder {}
