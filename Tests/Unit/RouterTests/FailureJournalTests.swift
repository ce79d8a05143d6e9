import BulkheadCore
import RouterService
import Synchronization
import Testing

struct FailureJournalTests {
    private let page = LogPage()
    private let target = Target(provider: "a", destination: "a", dialect: .openai, model: "m")
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)

    private var journal: FailureJournal {
        FailureJournal(logger: page.logger)
    }

    private func failure(_ kind: TargetFailure.Kind, said: String = "", status: Int? = nil) -> TargetFailure {
        var failure = TargetFailure(kind, CallError(.unavailable, message: "short"), providerCode: "code", fullText: said)
        failure.status = status
        return failure
    }

    /// A journal whose timers the test fires.
    private func timed() -> (FailureJournal, fire: () -> Void) {
        let timers = Timers()
        let journal = FailureJournal(logger: page.logger) { _, tell in timers.all.withLock { $0.append(tell) } }
        return (journal, { for tell in timers.all.withLock({ $0 }) { tell() } })
    }

    private final class Timers: Sendable {
        let all = Mutex<[@Sendable () -> Void]>([])
    }

    @Test("different failures of one second are told in full, each once")
    func forms() {
        let (journal, fire) = timed()
        for _ in 0 ..< 2 {
            for (status, said) in [(500, "AAA"), (503, "BBB"), (503, "CCC"), (500, "CCC")] {
                journal.note(failure(.transient, said: said, status: status), target, .init("r", try: 1), now: start)
            }
        }
        #expect(page.entries.map { $0.metadata["said"] } == ["AAA", "BBB", "CCC", "CCC"])
        #expect(page.entries.map { $0.metadata["status"] } == ["500", "503", "503", "500"])
        fire()
        let last = page.entries.last
        #expect(last?.message == "more tries at a provider failed in the same way" && last?.metadata["not_shown"] == "4")
        #expect(last?.metadata["not_shown_requests"] == "r", "a request is named once")
    }

    @Test("ids and times in what was said make no other failure")
    func ids() {
        let journal = journal
        for number in 0 ..< 20 {
            let said = #"{"error":{"message":"Try again in \#(number).5s, please.","request_id":"req-\#(number)ab"}}"#
            journal.note(failure(.transient, said: said), target, .init("r\(number)", try: 1), now: start)
        }
        #expect(page.entries.count == 1)
    }

    @Test("a provider that words every failure anew has eight entries a second, and the rest is said to be of other ways")
    func bounded() {
        let (journal, fire) = timed()
        let letters = "abcdefghijkl"
        for letter in letters {
            journal.note(failure(.transient, said: "\(letter)"), target, .init("\(letter)", try: 1), now: start)
        }
        #expect(page.entries.map { $0.metadata["said"] } == letters.prefix(8).map { "\($0)" })
        fire()
        let last = page.entries.last
        #expect(last?.metadata["not_shown"] == "4" && last?.metadata["in_other_ways"] == "4")
        #expect(last?.message.hasSuffix("in ways that are not shown") == true)
        journal.note(failure(.transient, said: "l"), target, .init("later", try: 1), now: start + .seconds(1))
        #expect(page.entries.last?.metadata["said"] == "l", "the next second begins anew")
    }

    @Test("the operator reads what the provider said in full")
    func full() {
        journal.note(failure(.transient, said: "the long story"), target, .init("req_1", try: 2), now: start)
        let lines = page.entries
        #expect(lines.count == 1 && lines.first?.level == .warning)
        #expect(lines.first?.metadata["said"] == "the long story" && lines.first?.metadata["target"] == "a/m")
        #expect(lines.first?.metadata["request"] == "req_1" && lines.first?.metadata["try"] == "2")
    }

    @Test("a flood of one kind is one entry a second, with the number of those that were left out")
    func flood() {
        let journal = journal
        for tick in 0 ..< 10 {
            journal.note(failure(.transient), target, .init("r", try: 1), now: start + .milliseconds(tick * 200))
        }
        let lines = page.entries
        #expect(lines.map { $0.metadata["not_shown"] } == ["0", "4"])
        journal.note(failure(.silent), target, .init("r", try: 1), now: start + .milliseconds(1900))
        #expect(page.entries.count == 3, "another kind is another entry")
    }

    @Test("a refused secret is an error; a caller that left is nothing")
    func levels() {
        let journal = journal
        journal.note(failure(.badCredential), target, .init("r", try: 1), now: start)
        journal.note(failure(.cancelled), target, .init("r", try: 1), now: start)
        #expect(page.entries.map(\.level) == [.error])
    }

    @Test("what was left out is told with the requests' ids when nothing follows")
    func told() throws {
        let timers = Mutex<[@Sendable () -> Void]>([])
        let journal = FailureJournal(logger: page.logger) { wait, tell in
            #expect(wait == .seconds(1))
            timers.withLock { $0.append(tell) }
        }
        for number in 0 ..< 30 { journal.note(failure(.transient), target, .init("r\(number)", try: 1), now: start) }
        let timer = try #require(timers.withLock { $0.count == 1 ? $0.first : nil }, "one for all of them")
        timer()
        let last = try #require(page.entries.last)
        #expect(page.entries.count == 2 && last.metadata["not_shown"] == "29")
        #expect(last.metadata["not_shown_requests"] == "\((1 ... 16).map { "r\($0)" }.joined(separator: " "))")
        timer()
        journal.note(failure(.transient), target, .init("next", try: 1), now: start)
        #expect(page.entries.count == 3 && page.entries.last?.metadata["not_shown"] == "0", "told once")
    }
}
