import ArgumentParser
import BenchFigures
import BulkheadCore
import CredentialsService
import NIOCore

/// Looks for a secret in ordinary text, which does not hold it.
struct Redaction: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Clean 64 KiB again and again; print {needles, took: {p50_us, p99_us, count}}.")

    @Option(help: "Times.") var count = 2000
    /// Its forms are the needles.
    private static let secret = "sk-proj-0h1Zc9Qm4vTt7Xb2Lw8Rk5Ny"

    func run() throws {
        let needles = SecretNeedles(Array(Self.secret.utf8))
        let text = Self.text()
        var took: [UInt64] = []
        for _ in 0 ..< count {
            let start = MonotonicTime.now()
            var redactor = StreamRedactor(needles)
            var bytes = redactor.feed(text).readableBytes
            bytes += redactor.finish().readableBytes
            took.append(MonotonicTime.now().nanoseconds - start.nanoseconds)
            guard bytes == text.readableBytes, redactor.count == 0 else { throw ValidationError("clean text was changed") }
        }
        print(#"{"needles":\#(needles.count),"took":\#(Figures(took).json)}"#)
    }

    /// 64 KiB of the kind of text that models answer with.
    private static func text() -> ByteBuffer {
        let words = #"a secret key token rope knot the of and wind 128 3f9a \n \" sk- proj Basic data: {} delta content"#
            .split(separator: " ")
        var (state, text): (UInt64, String) = (42, "")
        while text.utf8.count < 64 << 10 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            text += words[Int(state >> 33) % words.count] + " "
        }
        return ByteBuffer(string: String(text.utf8.prefix(64 << 10)) ?? text)
    }
}

/// Puts the decision and the end of a call on record.
struct Audit: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Record calls in a trail of its own; print {p50_us, p99_us, count}.")

    @Argument(help: "Folder of the trail.") var folder: String
    @Option(help: "Times.") var count = 20_000

    func run() throws {
        let trail = try AuditTrail(folder: folder)
        var took: [UInt64] = []
        for _ in 0 ..< count {
            let start = MonotonicTime.now()
            let decision = try trail.record(Self.decision())
            try trail.record(
                AuditEvent(endOf: CallOutcome(decision: decision), peer: "router", destination: "openai", request: Self.request))
            took.append(MonotonicTime.now().nanoseconds - start.nanoseconds)
        }
        let found = trail.verify()
        guard found.problem == nil, found.records == 2 * count else { throw ValidationError("the trail is broken: \(found)") }
        print(Figures(took).json)
    }

    private static let request = "0123456789abcdef0123456789abcdef"

    private static func decision() -> AuditEvent {
        var event = AuditEvent(
            "call", "allow", peer: "router", destination: "openai", secret: "OPENAI_API_KEY", method: "POST", request: request,
            tenant: "acme")
        (event.uid, event.pid, event.host, event.path) = (1000, 42, "api.openai.com", "/v1/chat/completions")
        return event
    }
}
