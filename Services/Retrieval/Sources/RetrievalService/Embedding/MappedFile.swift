import Foundation

/// A file mapped read-only: pages are read on first use and shared with the page cache, so an idle model costs no memory.
/// The file must not shrink while mapped; the model folder belongs to the operator.
package final class MappedFile: Sendable {
    /// The address of the first byte. Valid as long as this object; immutable, hence safe to share.
    nonisolated(unsafe) let base: UnsafeRawPointer
    /// Bytes in the file; at least 1.
    package let count: Int

    /// Blocks on the file system.
    /// - Throws: `ModelError` when the file cannot be opened, is empty or is not a regular file.
    package init(path: String, name: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ModelError("\(name) cannot be read: \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else {
            throw ModelError("\(name) is empty or no regular file")
        }
        count = Int(status.st_size)
        guard let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
            throw ModelError("\(name) cannot be mapped: \(String(cString: strerror(errno)))")
        }
        base = UnsafeRawPointer(address)
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: base), count) }

    /// All bytes.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }
}

/// Why the model's files cannot be used. Names files, never folders: it is shown to callers too.
package struct ModelError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    /// - Parameter description: which file, what is wrong with it.
    package init(_ description: String) { self.description = description }
}
