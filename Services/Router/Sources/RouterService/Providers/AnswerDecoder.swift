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
}

/// Why bytes of a provider are no answer.
package enum DecodeFault: Error, Sendable, Equatable {
    /// The provider reported an error inside its answer.
    case provider(ProviderError)
    /// Not what the dialect says. The text continues "The provider …"; it never quotes the bytes.
    case malformed(String)
}

/// Decodes a stream of one dialect.
package protocol EventDecoder: Sendable {
    var meta: AnswerMeta { get }
    /// The proof of completion was seen for all of the answer.
    var isComplete: Bool { get }
    /// Nothing more is to come, usage included.
    var isOver: Bool { get }
    /// Takes one server-sent event.
    mutating func take(_ event: SSEEvent, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault)
    /// Takes a whole answer, as it comes when no stream was asked for.
    mutating func takeWhole(_ body: ByteBuffer) throws(DecodeFault) -> [ChatAPI.ChatEvent]
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
}

/// An answer on its way in: bytes to server-sent events to canonical events.
package struct AnswerDecoder: Sendable {
    private var parser = SSEParser()
    private var decoder: any EventDecoder

    /// - Parameter choices: how many the client asked for.
    package init(_ dialect: ProviderDialect, choices: Int = 1) {
        decoder = dialect == .anthropic ? AnthropicDecoder() : OpenAIDecoder(choices: choices)
    }

    package var meta: AnswerMeta { decoder.meta }
    package var isComplete: Bool { decoder.isComplete }
    package var isOver: Bool { decoder.isOver }

    /// Takes the next bytes of a stream. What was decoded before a fault is in `events`.
    package mutating func feed(_ piece: ByteBuffer, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        let arrived: [SSEEvent]
        do throws(SSEError) {
            arrived = try parser.feed(piece)
        } catch {
            throw .malformed("sent too large an event: \(error)")
        }
        for event in arrived { try decoder.take(event, into: &events) }
    }

    /// Takes a whole answer.
    package mutating func takeWhole(_ body: ByteBuffer) throws(DecodeFault) -> [ChatAPI.ChatEvent] { try decoder.takeWhole(body) }
}
