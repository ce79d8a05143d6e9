import Logging
import Synchronization

/// Remembers what was logged.
final class LogPage: Sendable {
    struct Entry: Sendable {
        var level: Logger.Level
        var message: String
        var metadata: Logger.Metadata
    }

    private struct Writer: LogHandler {
        let page: LogPage
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            let entry = Entry(level: event.level, message: "\(event.message)", metadata: event.metadata ?? [:])
            page.lines.withLock { $0.append(entry) }
        }
    }

    private let lines = Mutex<[Entry]>([])
    var entries: [Entry] { lines.withLock { $0 } }
    var logger: Logger { Logger(label: "test") { _ in Writer(page: self) } }
}
