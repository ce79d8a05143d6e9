import BulkheadAPI
import BulkheadJSON
import NIOCore
import RouterService

/// One answer of a provider as it comes, and the canonical events it stands for.
struct GoldenAnswer: Sendable {
    enum Wire: Sendable {
        /// The bytes of an event stream.
        case stream(String)
        /// Event names and payloads, to be framed as AWS does.
        case frames([(String, String)])
        case whole(String)
    }

    let name: String
    let dialect: ProviderDialect
    var choices = 1
    let wire: Wire
    /// A line an event; then `usage` if there is any, and how it ended.
    let expected: String

    var testDescription: String { "\(dialect.rawValue): \(name)" }

    var bytes: ByteBuffer {
        switch wire {
        case .stream(let text): ByteBuffer(string: text)
        case .frames(let frames): EventFrames.encode(frames)
        case .whole(let text): ByteBuffer(string: text)
        }
    }

    var isWhole: Bool { if case .whole = wire { true } else { false } }

    /// The events of the answer, fed in pieces of the given lengths (the last goes on to the end).
    func decoded(pieces: [Int] = []) -> String {
        var decoder = AnswerDecoder(dialect, choices: choices)
        var events: [ChatAPI.ChatEvent] = []
        var rest = bytes
        do {
            if isWhole {
                events = try decoder.takeWhole(rest)
            } else {
                for length in pieces {
                    if let piece = rest.readSlice(length: min(length, rest.readableBytes)) {
                        try decoder.feed(piece, into: &events)
                    }
                }
                try decoder.feed(rest, into: &events)
            }
        } catch {
            return Self.text(events, decoder.meta, "fault: \(Self.text(error))")
        }
        return Self.text(
            events, decoder.meta, (decoder.isOver ? "over, " : "") + (decoder.isComplete ? "complete" : "incomplete"))
    }

    private static func text(_ error: DecodeFault) -> String {
        switch error {
        case .malformed(let what): "malformed, \(what)"
        case .provider(let error): "provider \(error.status) \(error.code): \(error.message)"
        }
    }

    /// Keep-alives say nothing; neighbouring fragments stay apart.
    private static func text(_ events: [ChatAPI.ChatEvent], _ meta: AnswerMeta, _ end: String) -> String {
        var lines = events.filter { $0.kind != .keepalive }.map(line)
        if let usage = meta.usage { lines.append(line(usage)) }
        let facts = [
            meta.id, meta.created == 0 ? "" : String(meta.created), meta.systemFingerprint ?? "", meta.serviceTier ?? "",
        ]
        lines.append(([end] + facts.filter { !$0.isEmpty }).joined(separator: " | "))
        return lines.joined(separator: "\n")
    }

    private static func line(_ event: ChatAPI.ChatEvent) -> String {
        let choice = event.choice == 0 ? "" : "[\(event.choice)] "
        let text: String =
            switch event.kind {
            case .text: "text \(event.text)"
            case .refusal: "refusal \(event.text)"
            case .thinking: "thinking \(event.text)"
            case .signature: "signature \(event.signature ?? "") \(event.id ?? "")"
            case .redactedThinking: "redacted \(event.signature ?? "")"
            case .toolCall: "call \(event.toolIndex) \(event.id ?? "") \(event.name ?? "")"
            case .toolArguments: "arguments \(event.toolIndex) \(event.text)"
            case .logprobs: "logprobs \(event.json ?? "")"
            case .finish: "finish \(event.finish) \(event.rawFinish ?? "") \(event.stopSequence ?? "")"
            case .rawBlock: "block \(event.json ?? "")"
            case .rawDelta: "delta \(event.json ?? "")"
            default: "\(event.kind)"
            }
        return (choice + text).replacing("\n", with: "⏎").trimmingSpaces
    }

    private static func line(_ usage: ChatAPI.Usage) -> String {
        let counts: [(String, Int?)] = [
            ("in", usage.inputTokens), ("out", usage.outputTokens), ("cached", usage.cachedInputTokens),
            ("written", usage.cacheCreationInputTokens), ("hour", usage.cacheCreation1hInputTokens),
            ("reasoning", usage.reasoningTokens), ("audio-in", usage.audioInputTokens), ("audio-out", usage.audioOutputTokens),
            ("image-in", usage.imageInputTokens), ("image-out", usage.imageOutputTokens),
            ("accepted", usage.acceptedPredictionTokens), ("rejected", usage.rejectedPredictionTokens),
        ]
        return "usage "
            + counts.compactMap { name, count in count.flatMap { $0 == 0 ? nil : "\(name)=\($0)" } }.joined(separator: " ")
    }
}

extension String {
    fileprivate var trimmingSpaces: String { String(reversed().drop { $0 == " " }.reversed()) }
}

/// Writes what Bedrock sends.
enum EventFrames {
    static func encode(_ frames: [(String, String)]) -> ByteBuffer {
        var bytes = ByteBuffer()
        for (name, payload) in frames {
            let isException = name.hasSuffix("Exception")
            var headers = ByteBuffer()
            write(isException ? ":exception-type" : ":event-type", name, into: &headers)
            write(":content-type", "application/json", into: &headers)
            write(":message-type", isException ? "exception" : "event", into: &headers)
            bytes.writeImmutableBuffer(message(headers, ByteBuffer(string: payload)))
        }
        return bytes
    }

    static func message(_ headers: ByteBuffer, _ payload: ByteBuffer) -> ByteBuffer {
        var message = ByteBuffer()
        message.writeInteger(UInt32(headers.readableBytes + payload.readableBytes + 16))
        message.writeInteger(UInt32(headers.readableBytes))
        message.writeInteger(CRC32.of(message.readableBytesView))
        message.writeImmutableBuffer(headers)
        message.writeImmutableBuffer(payload)
        message.writeInteger(CRC32.of(message.readableBytesView))
        return message
    }

    static func write(_ name: String, _ value: String, into headers: inout ByteBuffer) {
        headers.writeInteger(UInt8(name.utf8.count))
        headers.writeString(name)
        headers.writeInteger(UInt8(7))
        headers.writeInteger(UInt16(value.utf8.count))
        headers.writeString(value)
    }
}
