import Glibc

/// What tells this process from the one that ran before it under the same name.
enum ProcessInstance {
    static let id = newID()
    static let pid = getpid()
    static let uid = geteuid()

    static func newID() -> [UInt8] { (0 ..< 16).map { _ in UInt8.random(in: .min ... .max) } }
}
