import LinajeDomain
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addBackups(_ service: BackupService) {
        stream(Methods.openBackup) { _, _, stream in
            let id = IngestID.random()
            var opened = Linaje_V1_BackupOpened()
            opened.backupID = id.data
            try stream.respond(opened)
            try await service.open(
                id,
                report: { news in
                    switch news {
                    case .step(let text):
                        var message = Linaje_V1_BackupNews()
                        message.step = text
                        try await stream.send(message)
                    case .files(let files):
                        var message = Linaje_V1_BackupNews()
                        message.files = files.map { Linaje_V1_BackupFile($0) }
                        try await stream.send(message)
                    }
                },
                body: {
                    var message = Linaje_V1_BackupNews()
                    message.complete = true
                    guard (try? await stream.send(message)) != nil else { return }
                    await stream.closed()
                })
            stream.end()
        }
        stream(Methods.readBackupFile) { request, _, stream in
            try await service.read(
                IngestID(request.backupID), request.name,
                begin: { size in
                    var opened = Linaje_V1_ReadBackupFileOpened()
                    opened.size = size
                    try stream.respond(opened)
                },
                piece: { bytes in
                    try await stream.sendBytes(bytes)
                    try await stream.room()
                })
            stream.end()
        }
    }
}

extension Linaje_V1_BackupFile {
    fileprivate init(_ file: BackupService.File) {
        self.init()
        name = file.name
        size = file.size
    }
}
