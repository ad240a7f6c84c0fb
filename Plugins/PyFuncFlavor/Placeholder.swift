package enum PyFuncFlavorPlaceholder {}
