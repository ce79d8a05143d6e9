import Glibc

/// Stops the process over a broken promise of the code under test; libFuzzer keeps the input.
package func found(_ what: String) -> Never {
    let line = "FOUND: \(what)\n"
    _ = line.utf8.withContiguousStorageIfAvailable { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    abort()
}
