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
}

/// Decodes answers of one dialect.
package protocol EventDecoder: Sendable {
    var meta: AnswerMeta { get }
    /// The proof of completion was seen for all of the answer.
    var isComplete: Bool { get }
    /// Nothing more is to come, usage included.
    var isOver: Bool { get }
    /// Takes one event of a stream.
    mutating func take(_ event: WireEvent, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault)
    /// Takes a whole answer, as it comes from servers that do not stream.
    mutating func takeWhole(_ answer: JSON, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault)
}

extension EventDecoder {
    /// The JSON of an event or answer.
    package func json(_ bytes: ByteBuffer) throws(DecodeFault) -> JSON {
        do throws(JSONError) {
            return try JSON.parse(bytes)
        } catch {
            throw .malformed("sent something that is no JSON")
        }
    }

    /// - Throws: the error a document is, in any of the shapes providers and what stands before them use.
    package func refuseError(_ document: JSON) throws(DecodeFault) {
        if let error = ProviderError(insteadOfAnswer: document) { throw .provider(error) }
    }
}

/// An answer on its way in: bytes to events of the wire to canonical events.
package struct AnswerDecoder: Sendable {
    private enum Framing: Sendable {
        case text(SSEParser)
        case binary(EventStreamParser)
    }

    private var framing: Framing
    private var decoder: any EventDecoder

    /// - Parameter choices: how many the client asked for.
    package init(_ dialect: ProviderDialect, choices: Int = 1) {
        framing = dialect == .bedrock ? .binary(EventStreamParser()) : .text(SSEParser())
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
        for event in try framed(piece) {
            // Servers go on after their last event; nothing of that belongs to the answer.
            if decoder.isOver { return }
            try decoder.take(event, into: &events)
        }
    }

    private mutating func framed(_ piece: ByteBuffer) throws(DecodeFault) -> [WireEvent] {
        switch framing {
        case .text(var parser):
            // The parser must hold its buffers alone, or appending to them copies.
            framing = .text(SSEParser())
            defer { framing = .text(parser) }
            do throws(SSEError) {
                return try parser.feed(piece).map { WireEvent(name: $0.name, data: $0.data) }
            } catch {
                throw .malformed("sent too large an event: \(error)")
            }
        case .binary(var parser):
            framing = .binary(EventStreamParser())
            defer { framing = .binary(parser) }
            return try parser.feed(piece)
        }
    }

    /// Takes a whole answer. A stream that came under another content type is taken as one.
    package mutating func takeWhole(_ body: ByteBuffer) throws(DecodeFault) -> [ChatAPI.ChatEvent] {
        var events: [ChatAPI.ChatEvent] = []
        if Self.isEventText(body) {
            try feed(body, into: &events)
        } else {
            try decoder.takeWhole(try decoder.json(body), into: &events)
        }
        guard decoder.isComplete else { throw .malformed("ended its answer before the end") }
        return events
    }

    private static func isEventText(_ body: ByteBuffer) -> Bool {
        ["data:", "event:", ":"].contains { body.readableBytesView.starts(with: $0.utf8) }
    }
}
