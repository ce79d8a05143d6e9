import BulkheadCore
import Glibc

/// Which uids stand behind a service name on this host.
///
/// In production each service runs as the user `bulkhead-<service>`; in dev, and in a container that names no such users,
/// all run as one.
enum PeerIdentity {
    /// Who may connect: this uid, root, and the users of the callers where they exist.
    static func uids(of callers: Set<ServiceName>) -> Set<UInt32> {
        Set(callers.compactMap { uid(of: $0) }).union([geteuid(), 0])
    }

    /// The names callers may use, each with the uids that may use it.
    static func names(of callers: Set<ServiceName>) -> [String: Set<UInt32>] {
        Dictionary(uniqueKeysWithValues: callers.map { ($0.rawValue, uids(of: [$0])) })
    }

    /// Who may own the folder of a peer's socket.
    static func owners(of service: ServiceName) -> [UInt32] { [geteuid(), 0] + (uid(of: service).map { [$0] } ?? []) }

    /// The gid of the group `bulkhead-admin`, whose members may administer; nil when there is no such group.
    static var adminGroup: UInt32? { getgrnam("bulkhead-admin").map { $0.pointee.gr_gid } }

    private static func uid(of service: ServiceName) -> UInt32? { getpwnam(service.executable).map { $0.pointee.pw_uid } }
}

/// A random id of this run of the process.
enum InstanceID {
    /// 32 hexadecimal digits.
    static func new() -> String {
        let digits = Array("0123456789abcdef")
        return String((0 ..< 32).map { _ in digits[Int.random(in: 0 ..< 16)] })
    }
}

/// Plain text to standard error, for the last words of a process that does not start.
package enum FileHandleText {
    /// Writes all of `text`; nothing can be done when that fails.
    package static func standardError(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            guard written > 0 else { return }
            bytes = bytes.dropFirst(written)
        }
    }
}
