/// What kind of file system a number of statfs(2) stands for (linux/magic.h and, for those outside
/// the kernel, coreutils' stat.c).
struct FileSystemKind: Sendable, Hashable {
    enum Nature: Sendable, Hashable {
        case local, network, memory, layered
        /// A program stands behind it: it may be anything.
        case foreign
    }

    var name: String
    var nature: Nature

    init(magic: UInt64) {
        let unknown = "a file system of type 0x" + String(magic, radix: 16)
        (name, nature) = Self.known[magic] ?? (unknown, .local)
    }

    private static let known: [UInt64: (String, Nature)] = [
        0xEF53: ("ext4", .local), 0x5846_5342: ("xfs", .local), 0x9123_683E: ("btrfs", .local),
        0x2FC1_2FC1: ("zfs", .local), 0xF2F5_2010: ("f2fs", .local),
        0xCA45_1A4E: ("bcachefs", .local), 0x0102_1994: ("tmpfs", .memory),
        0x8584_58F6: ("ramfs", .memory), 0x794C_7630: ("overlay", .layered),
        0x6969: ("nfs", .network), 0x517B: ("smb", .network), 0xFE53_4D42: ("smb2", .network),
        0xFF53_4D42: ("cifs", .network), 0x00C3_6400: ("ceph", .network),
        0x0BD0_0BD0: ("lustre", .network), 0x4750_4653: ("gpfs", .network),
        0x5346_414F: ("afs", .network), 0x0102_1997: ("9p", .network),
        0x1983_0326: ("beegfs", .network), 0x6573_5546: ("fuse", .foreign),
    ]
}
