package enum SafetensorsFlavorPlaceholder {}
