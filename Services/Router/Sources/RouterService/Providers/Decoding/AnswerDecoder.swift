import BulkheadAPI
import BulkheadHTTP
import BulkheadJSON
import NIOCore

/// What a provider's answer carries besides its events.
package struct AnswerMeta: Sendable, Equatable {
    /// The provider's id of the answer.
    package var id = ""
    /// Seconds since 1970; 0 when the provider does not say.
    package var created = 0
    package var usage: ChatAPI.Usage?
    package var systemFingerprint: String?
    package var serviceTier: String?
}

/// Why bytes of a provider are no answer.
package enum DecodeFault: Error, Sendable, Equatable {
    /// The provider reported an error inside its answer.
    case provider(ProviderError)
    /// Not what the dialect says. The text continues "The provider …"; it never quotes the bytes.
    case malformed(String)
}

/// One event of a provider's stream, whichever way it is framed.
package struct WireEvent: Sendable {
    /// The event's name; empty where the framing has none.
    package var name: String
    package var data: ByteBuffer
    /// The framing itself says that this is an error.
    package var isException = false

    package init(name: String, data: ByteBuffer, isException: Bool = false) {
        (self.name, self.data, self.isException) = (name, data, isException)
    }
}

/// Decodes answers of one dialect.
package protocol EventDecoder: Sendable, Equatable {
    var meta: AnswerMeta { get }
    /// The proof of completion was seen for all of the answer.
    var isComplete: Bool { get }
    /// Nothing more is to come, usage included.
    var isOver: Bool { get }
    /// Takes one event of a stream.
    mutating func take(_ event: WireEvent, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault)
    /// Takes a whole answer, as it comes from servers that do not stream.
    mutating func takeWhole(_ answer: JSONView, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault)
}

extension JSONView {
    /// Reads the JSON of an event or answer.
    static func read(_ bytes: ByteBuffer, _ take: (JSONView) throws(DecodeFault) -> Void) throws(DecodeFault) {
        try read(bytes, or: .malformed("sent something that is no JSON"), take)
    }
}

extension EventDecoder {
    /// - Throws: the error a document is, in any of the shapes providers and what stands before them use.
    package func refuseError(_ document: JSONView) throws(DecodeFault) {
        if let error = ProviderError(insteadOfAnswer: document) { throw .provider(error) }
    }
}

/// An answer on its way in: bytes to events of the wire to canonical events.
package struct AnswerDecoder: Sendable {
    /// One of the two takes the bytes.
    private var text = SSEParser()
    private var binary: EventStreamParser?
    private var decoder: any EventDecoder
    /// Of the event before, if the next one may be like it.
    private var form: RepeatedForm?
    private var trials = AnswerDecoder.mostTrials

    /// How often a form is looked for without the stream having one: a trial costs as much as an event.
    private static let mostTrials = 4

    /// - Parameter choices: how many the client asked for.
    package init(_ dialect: ProviderDialect, choices: Int = 1) {
        binary = dialect == .bedrock ? EventStreamParser() : nil
        decoder =
            switch dialect {
            case .openai, .builtin: OpenAIDecoder(choices: choices)
            case .openaiResponses: ResponsesDecoder()
            case .anthropic: AnthropicDecoder()
            case .gemini: GeminiDecoder(choices: choices)
            case .bedrock: BedrockDecoder()
            }
    }

    package var meta: AnswerMeta { decoder.meta }
    package var isComplete: Bool { decoder.isComplete }
    package var isOver: Bool { decoder.isOver }

    /// Takes the next bytes of a stream. What was decoded before a fault is in `events`.
    package mutating func feed(_ piece: ByteBuffer, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        if binary != nil { return try feed(frames: piece, into: &events) }
        for event in try framed(piece) {
            // Servers go on after their last event; nothing of that belongs to the answer.
            if decoder.isOver { return }
            switch form?.likeness(of: event) ?? .other {
            case .told(let told):
                trials = Self.mostTrials
                events.append(told)
            case .alike: try decoder.take(WireEvent(name: event.name, data: event.data), into: &events)
            case .other: try take(event, into: &events)
            }
        }
    }

    private mutating func take(_ event: SSEEvent, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        form = nil
        let before = events.count
        try decoder.take(WireEvent(name: event.name, data: event.data), into: &events)
        guard trials > 0, events.count == before + 1, let told = events.last, !told.text.isEmpty else { return }
        trials -= 1
        form = RepeatedForm(event, told: told, by: decoder)
    }

    private mutating func feed(frames piece: ByteBuffer, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        var framed: [WireEvent] = []
        var fault: DecodeFault?
        do throws(DecodeFault) { try binary?.feed(piece, into: &framed) } catch { fault = error }
        for event in framed where !decoder.isOver { try decoder.take(event, into: &events) }
        // What stands before a broken event counts, in whatever pieces they arrive.
        if let fault, !decoder.isOver { throw fault }
    }

    private mutating func framed(_ piece: ByteBuffer) throws(DecodeFault) -> [SSEEvent] {
        do throws(SSEError) {
            return try text.feed(piece)
        } catch {
            throw .malformed("sent too large an event: \(error)")
        }
    }

    /// Takes a whole answer. A stream that came under another content type is taken as one.
    package mutating func takeWhole(_ body: ByteBuffer) throws(DecodeFault) -> [ChatAPI.ChatEvent] {
        var events: [ChatAPI.ChatEvent] = []
        if Self.isEventText(body) {
            try feed(body, into: &events)
        } else {
            try takeDocument(body, into: &events)
        }
        guard decoder.isComplete else { throw .malformed("ended its answer before the end") }
        return events
    }

    private mutating func takeDocument(_ body: ByteBuffer, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        try JSONView.read(body) { (document) throws(DecodeFault) in
            try decoder.takeWhole(document, into: &events)
        }
    }

    private static func isEventText(_ body: ByteBuffer) -> Bool {
        ["data:", "event:", ":"].contains { body.readableBytesView.starts(with: $0.utf8) }
    }
}
