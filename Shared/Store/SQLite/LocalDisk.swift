import CBulkheadSystem
import Glibc

/// Refuses file systems that are on another machine: there locks and the order of writes, which SQLite stands on, hold only on
/// paper, and a second machine may write the same file.
package struct LocalDisk: Sendable {
    /// Kinds by the number `statfs(2)` gives, as in linux/magic.h. 9P (0x01021997) is left out: sandboxes and virtual machines
    /// show a disk of their own host as such, and hand fsync on.
    static let remote: [UInt32: String] = [
        0x0000_6969: "NFS",
        0x0000_517b: "SMB",
        0xff53_4d42: "CIFS",
        0xfe53_4d42: "SMB",
        0x5346_414f: "AFS",
        0x6b41_4653: "AFS",
        0x7375_7245: "Coda",
        0x0000_564c: "NCP",
        0x00c3_6400: "Ceph",
    ]
    /// FUSE: what is behind it stands in the table of mounts.
    static let fuse: UInt32 = 0x6573_5546
    /// Of those behind FUSE what is local: a folder of a virtual machine's host, a disk with a foreign file system.
    static let localFuse: Set<String> = ["virtiofs", "fuseblk"]

    private let kind: @Sendable (String) -> UInt32?
    private let mountType: @Sendable (String) -> String?

    /// - Parameters:
    ///   - kind: gives the file system's number for a path; nil: asks the kernel.
    ///   - mountType: how the table of mounts calls it; nil: reads it there.
    package init(kind: (@Sendable (String) -> UInt32?)? = nil, mountType: (@Sendable (String) -> String?)? = nil) {
        self.kind = kind ?? Self.kind
        self.mountType = mountType ?? Self.mountType
    }

    /// - Throws: when `folder` lies on another machine; says what to do.
    package func require(_ folder: String) throws(StoreOpenError) {
        guard let number = kind(folder) else { return }
        if let name = Self.remote[number] { throw Self.refusal(folder, name) }
        guard number == Self.fuse else { return }
        let type = mountType(folder) ?? "FUSE"
        if !Self.localFuse.contains(type) { throw Self.refusal(folder, type) }
    }

    private static func refusal(_ folder: String, _ name: String) -> StoreOpenError {
        StoreOpenError(
            "\(folder) lies on a network file system (\(name)), where SQLite can lose what it acknowledged: "
                + "set suite.state_dir to a folder on a local disk, or suite.stores.durable to postgres")
    }

    private static func kind(_ path: String) -> UInt32? {
        let number = bh_file_system_kind(path)
        return number < 0 ? nil : UInt32(truncatingIfNeeded: number)
    }

    /// The type of the mount `path` lies on, by its device (proc_pid_mountinfo(5): id, parent, major:minor, …, "-", type).
    private static func mountType(_ path: String) -> String? {
        var about = stat()
        guard stat(path, &about) == 0, let file = fopen("/proc/self/mountinfo", "r") else { return nil }
        defer { fclose(file) }
        // As sys/sysmacros.h takes a number apart.
        let (major, minor) = (about.st_dev >> 8 & 0xfff, about.st_dev & 0xff | about.st_dev >> 12 & 0xfff00)
        let device = "\(major):\(minor)"
        var line = [CChar](repeating: 0, count: 4096)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let words = text.split(separator: " ")
            guard words.count > 6, words[2] == device, let dash = words.firstIndex(of: "-"), dash + 1 < words.count else {
                continue
            }
            return String(words[dash + 1])
        }
        return nil
    }
}
