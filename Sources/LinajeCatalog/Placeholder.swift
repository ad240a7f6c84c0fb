package enum LinajeCatalogPlaceholder {}
