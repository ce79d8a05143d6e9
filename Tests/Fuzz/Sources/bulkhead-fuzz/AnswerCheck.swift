import BulkheadAPI
import BulkheadHTTP
import NIOCore
import RouterService

/// What a provider sends becomes the same events wherever it is cut, in an order that callers can rely on, or a fault.
///
/// Input: a byte for what it is (see `kind`), piece lengths, then the provider's bytes.
enum AnswerCheck {
    private static let dialects: [ProviderDialect] = [.openai, .openaiResponses, .anthropic, .gemini, .bedrock]
    /// Beside the number of a dialect, in the first byte.
    static let (whole, framed): (UInt8, UInt8) = (8, 16)
    static let (failure, embeddings): (UInt8, UInt8) = (5, 6)

    /// The first byte: the dialect, how many choices were asked for, and one of `whole` and `framed`.
    static func kind(_ dialect: ProviderDialect, choices: Int = 1, _ flag: UInt8 = 0) -> UInt8 {
        UInt8(dialects.firstIndex(of: dialect) ?? 0) | UInt8(choices - 1) << 5 | flag
    }

    /// - Returns: the answer and what it came to, if the input is one.
    @discardableResult
    static func check(_ input: some Sequence<UInt8>) throws -> (answer: Answer, outcome: AnswerOutcome)? {
        var input = InputBytes(input)
        let kind = input.next()
        switch kind & 7 {
        case failure: try ErrorCheck.checkAnswer(&input)
        case embeddings: try checkEmbeddings(ByteBuffer(bytes: input.takeRest()), count: Int(kind >> 5) + 1)
        default: return try checkChat(kind, &input)
        }
        return nil
    }

    private static func checkChat(_ kind: UInt8, _ input: inout InputBytes) throws -> (Answer, AnswerOutcome) {
        let answer = Answer(dialect: dialects[Int(kind & 7) % dialects.count], choices: Int(kind >> 5 & 3) + 1)
        let lengths = input.pieceLengths()
        let bytes = kind & framed == 0 ? input.takeRest() : frames(input.takeRest())
        if kind & whole != 0 {
            let taken = try answer.taken(bytes)
            try taken.check(answer, bytes.count)
            return (answer, taken)
        }
        let atOnce = try answer.fed([bytes])
        try atOnce.check(answer, bytes.count)
        let inPieces = try answer.fed(InputBytes.cut(bytes, lengths))
        try promise(atOnce.isSame(inPieces), "pieces of \(lengths) give \(inPieces), all at once \(atOnce)")
        guard let apart = answer.takenApart(bytes) else { return (answer, atOnce) }
        try promise(atOnce.isSame(apart), "each event taken apart gives \(apart), otherwise \(atOnce)")
        return (answer, atOnce)
    }

    /// The events of Bedrock's stream, a line each: its name, a space, its payload. Noise would never get past the checksums.
    private static func frames(_ script: [UInt8]) -> [UInt8] {
        let events = script.split(separator: UInt8(ascii: "\n")).map { line -> (String, String) in
            let name = line.prefix { $0 != UInt8(ascii: " ") }.prefix(255)
            return (
                String(decoding: name.filter { $0 < 128 }, as: UTF8.self),
                String(decoding: line.dropFirst(name.count + 1), as: UTF8.self)
            )
        }
        return Array(EventFrames.encode(events).readableBytesView)
    }

    private static func checkEmbeddings(_ body: ByteBuffer, count: Int) throws {
        let answer: (vectors: [RouterAPI.Vector], inputTokens: Int)
        do throws(DecodeFault) {
            answer = try OpenAIEmbeddings.decode(body, count: count)
        } catch {
            return try ErrorCheck.check(error)
        }
        try promise(answer.vectors.count == count, "\(answer.vectors.count) vectors for \(count) texts")
        for values in answer.vectors.map(\.values) {
            try promise(!values.isEmpty && values.allSatisfy(\.isFinite), "a vector \(values)")
        }
        try promise((0 ... 1 << 40).contains(answer.inputTokens), "\(answer.inputTokens) tokens")
    }
}

/// An answer of `choices` choices in a dialect, to be decoded.
struct Answer {
    let dialect: ProviderDialect
    let choices: Int

    /// What a stream in pieces comes to; read no further than the router does.
    func fed(_ pieces: [[UInt8]]) throws -> AnswerOutcome {
        var (decoder, outcome) = (AnswerDecoder(dialect, choices: choices), AnswerOutcome())
        do throws(DecodeFault) {
            for piece in pieces where !decoder.isOver { try decoder.feed(ByteBuffer(bytes: piece), into: &outcome.events) }
        } catch {
            outcome.fault = error
        }
        outcome.note(decoder)
        return outcome
    }

    /// What a stream of text comes to when each event is taken apart, also where it is like the one before; nil for another one.
    func takenApart(_ bytes: [UInt8]) -> AnswerOutcome? {
        guard var decoder else { return nil }
        var (parser, outcome) = (SSEParser(), AnswerOutcome())
        do throws(DecodeFault) {
            for event in (try? parser.feed(ByteBuffer(bytes: bytes))) ?? [] where !decoder.isOver {
                try decoder.take(WireEvent(name: event.name, data: event.data), into: &outcome.events)
            }
        } catch {
            outcome.fault = error
        }
        outcome.note(decoder)
        return outcome
    }

    private var decoder: (any EventDecoder)? {
        switch dialect {
        case .openai: OpenAIDecoder(choices: choices)
        case .openaiResponses: ResponsesDecoder()
        case .anthropic: AnthropicDecoder()
        case .gemini: GeminiDecoder(choices: choices)
        case .bedrock, .builtin: nil
        }
    }

    /// What a whole answer comes to.
    func taken(_ bytes: [UInt8]) throws -> AnswerOutcome {
        var (decoder, outcome) = (AnswerDecoder(dialect, choices: choices), AnswerOutcome())
        do throws(DecodeFault) {
            outcome.events = try decoder.takeWhole(ByteBuffer(bytes: bytes))
        } catch {
            outcome.fault = error
            return outcome
        }
        outcome.note(decoder)
        try promise(outcome.isComplete, "a whole answer that is not complete: \(outcome)")
        return outcome
    }
}
