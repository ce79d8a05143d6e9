import Foundation
import Glibc

/// The file of the switched-off targets: `{"disabled": ["provider/model"], "version": 1}`. All of it blocks.
package struct SwitchFile: Sendable {
    /// Why the file could not be used; names it, for the operator.
    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    private struct Content: Codable {
        var version: Int
        var disabled: [String]
    }

    /// A thousand labels of two long names.
    private static let maxBytes = 1 << 20
    private static let version = 1
    package let path: String

    package init(path: String) { self.path = path }

    /// What is switched off; nothing when there is no file yet.
    package func read() throws(Failure) -> Set<String> {
        let bytes: Data
        do {
            let handle = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
            if handle < 0, errno == ENOENT { return [] }
            guard handle >= 0 else { throw failure("cannot open", errno) }
            let file = FileHandle(fileDescriptor: handle, closeOnDealloc: true)
            bytes = try file.read(upToCount: Self.maxBytes + 1) ?? Data()
        } catch let error as Failure {
            throw error
        } catch {
            throw Failure(description: "cannot read \(path): \(error.localizedDescription)")
        }
        guard bytes.count <= Self.maxBytes else {
            throw Failure(description: "\(path) holds more than \(Self.maxBytes) bytes")
        }
        guard let content = try? JSONDecoder().decode(Content.self, from: bytes) else {
            throw Failure(description: "\(path) is damaged: it is not what the router writes")
        }
        guard content.version == Self.version, content.disabled.count <= TargetSwitches.capacity else {
            throw Failure(description: "\(path) was written by another version (\(content.version)), or holds too many targets")
        }
        return Set(content.disabled)
    }

    /// Replaces the file as a whole: a crash leaves the old one or the new one.
    package func write(_ disabled: Set<String>) throws(Failure) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let bytes = try? encoder.encode(Content(version: Self.version, disabled: disabled.sorted())) else {
            throw Failure(description: "a name of a target cannot be written as JSON")
        }
        let temporary = path + ".new"
        unlink(temporary)
        try create(temporary, bytes)
        guard rename(temporary, path) == 0 else {
            let code = errno
            unlink(temporary)
            throw failure("cannot replace", code)
        }
        try syncFolder()
    }

    /// Moves an unusable file out of the way, so that it can be looked at. - Returns: what became of it, to be told.
    func putAside() -> String {
        let place = path + ".damaged"
        return rename(path, place) == 0 ? "; it was moved to \(place)" : "; it was left there: \(Self.reason(errno))"
    }

    private func create(_ temporary: String, _ bytes: Data) throws(Failure) {
        let handle = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard handle >= 0 else { throw failure("cannot create", errno) }
        defer { close(handle) }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(handle, $0.baseAddress.map { $0 + written }, bytes.count - written) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            written += count
        }
        guard written == bytes.count, fsync(handle) == 0 else {
            let code = errno
            unlink(temporary)
            throw failure("cannot write", code)
        }
    }

    private func syncFolder() throws(Failure) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let handle = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard handle >= 0 else { throw failure("cannot open the folder of", errno) }
        defer { close(handle) }
        guard fsync(handle) == 0 else { throw failure("cannot sync the folder of", errno) }
    }

    private func failure(_ what: String, _ code: Int32) -> Failure {
        Failure(description: "\(what) \(path): \(Self.reason(code))")
    }

    private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
