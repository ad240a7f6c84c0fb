package enum FilesystemStoragePlaceholder {}
