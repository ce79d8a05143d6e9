import BulkheadCore
import Logging
import RouterService
import Synchronization
import Testing

struct FailureJournalTests {
    /// Remembers what was logged.
    private final class Page: Sendable {
        let lines = Mutex<[(level: Logger.Level, metadata: Logger.Metadata)]>([])
    }

    private struct Writer: LogHandler {
        let page: Page
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) { page.lines.withLock { $0.append((event.level, event.metadata ?? [:])) } }
    }

    private let page = Page()
    private let target = Target(provider: "a", destination: "a", dialect: .openai, model: "m")
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)

    private var journal: FailureJournal {
        FailureJournal(logger: Logger(label: "test") { [page] _ in Writer(page: page) })
    }

    private func failure(_ kind: TargetFailure.Kind, said: String = "") -> TargetFailure {
        TargetFailure(kind, CallError(.unavailable, message: "short"), providerCode: "code", fullText: said)
    }

    @Test("the operator reads what the provider said in full")
    func full() {
        journal.note(failure(.transient, said: "the long story"), target, requestID: "req_1", number: 2, now: start)
        let lines = page.lines.withLock { $0 }
        #expect(lines.count == 1 && lines.first?.level == .warning)
        #expect(lines.first?.metadata["said"] == "the long story" && lines.first?.metadata["target"] == "a/m")
        #expect(lines.first?.metadata["request"] == "req_1" && lines.first?.metadata["try"] == "2")
    }

    @Test("a flood of one kind is one entry a second, with the number of those that were left out")
    func flood() {
        let journal = journal
        for tick in 0 ..< 10 {
            journal.note(failure(.transient), target, requestID: "r", number: 1, now: start + .milliseconds(tick * 200))
        }
        let lines = page.lines.withLock { $0 }
        #expect(lines.map { $0.metadata["not_shown"] } == ["0", "4"])
        journal.note(failure(.silent), target, requestID: "r", number: 1, now: start + .milliseconds(1900))
        #expect(page.lines.withLock { $0.count } == 3, "another kind is another entry")
    }

    @Test("a refused secret is an error; a caller that left is nothing")
    func levels() {
        let journal = journal
        journal.note(failure(.badCredential), target, requestID: "r", number: 1, now: start)
        journal.note(failure(.cancelled), target, requestID: "r", number: 1, now: start)
        #expect(page.lines.withLock { $0.map(\.level) } == [.error])
    }
}
