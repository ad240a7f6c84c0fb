package enum LinajeArtifactsPlaceholder {}
