import Glibc
import Logging
import Synchronization

/// Logs JSON lines: `{"time":…,"level":…,"service":…,"message":…,<metadata>}`.
package struct JSONLogHandler: LogHandler {
    /// The level all loggers of the process share; `log-level` changes it while they run.
    package final class Level: Sendable {
        private let value: Mutex<Logger.Level>

        /// Starts at `level`.
        package init(_ level: Logger.Level) { value = Mutex(level) }

        /// The level in force.
        package var current: Logger.Level {
            get { value.withLock { $0 } }
            set { value.withLock { $0 = newValue } }
        }
    }

    package var metadata: Logger.Metadata = [:]
    private let service: String
    private let level: Level
    private let writer: LogWriter

    /// A handler for the process called `service`.
    package init(service: String, level: Level, writer: LogWriter) {
        self.service = service
        self.level = level
        self.writer = writer
    }

    package var logLevel: Logger.Level {
        get { level.current }
        set { level.current = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var line: [UInt8] = []
        line.reserveCapacity(256)
        line += "{\"time\":\"\(Self.timestamp())\",\"level\":\"\(event.level)\",\"service\":\"\(service)\",\"message\":".utf8
        Self.append(event.message.description, to: &line)
        let all = event.metadata.map { metadata.merging($0) { _, new in new } } ?? metadata
        for (key, value) in all.sorted(by: { $0.key < $1.key }) {
            line.append(UInt8(ascii: ","))
            Self.append(key, to: &line)
            line.append(UInt8(ascii: ":"))
            Self.append(value.description, to: &line)
        }
        line += "}\n".utf8
        writer.write(line)
    }

    private static func timestamp() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        gmtime_r(&now.tv_sec, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let millis = now.tv_nsec / 1_000_000
        let fraction = millis < 10 ? "00\(millis)" : millis < 100 ? "0\(millis)" : "\(millis)"
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T"
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(fraction)Z"
    }

    /// Appends a JSON string; control characters are escaped, so that one record is always one line.
    static func append(_ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): line += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): line += "\\n".utf8
            case 0 ..< 32, 127:
                let digits = String(byte, radix: 16)
                line += "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8
            default: line.append(byte)
            }
        }
        line.append(UInt8(ascii: "\""))
    }
}
