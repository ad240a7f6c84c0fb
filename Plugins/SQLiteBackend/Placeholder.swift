package enum SQLiteBackendPlaceholder {}
