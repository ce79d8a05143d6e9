import BulkheadAPI
import BulkheadJSON
import HTTPTypes

/// A chat request in canonical form, with what concerns edge alone.
package struct ChatCall: Sendable, Equatable {
    /// The request as the router gets it.
    package var chat: ChatAPI.ChatRequest
    /// OpenAI's `stream_options.include_usage`.
    package var includesUsage = false
    /// The member `bulkhead`.
    package var options = BulkheadOptions()
    /// Length of the request's body.
    package var bodyBytes = 0
    /// Members of the request that the answer repeats (OpenAI Responses).
    package var repeated = JSONObject()

    /// A call with default options.
    package init(chat: ChatAPI.ChatRequest, includesUsage: Bool = false, options: BulkheadOptions = BulkheadOptions()) {
        self.chat = chat
        self.includesUsage = includesUsage
        self.options = options
    }

    /// Takes in what headers say.
    mutating func apply(_ headers: RequestHeaders) {
        options.apply(headers)
        guard chat.dialect == .anthropicMessages else { return }
        chat.anthropicVersion = headers[.anthropicVersion]
        chat.anthropicBeta = headers[.anthropicBeta]
    }

    /// Input and output tokens this may cost: a fourth of the body's bytes, pictures and sounds by number instead, and what the
    /// client allows for each answer.
    func estimatedTokens(bodyBytes: Int) -> Int {
        var media = 0
        var mediaBytes = 0
        for part in chat.messages.lazy.flatMap(\.parts) where [.image, .audio, .document].contains(part.kind) {
            media += 1
            mediaBytes += part.text.utf8.count + (part.url?.utf8.count ?? 0)
        }
        let input = max(0, bodyBytes - mediaBytes) / 4 + media * Self.tokensPerMedium
        let (sum, overflow) = input.addingReportingOverflow(estimatedOutput)
        return overflow ? .max : sum
    }

    /// The part of the estimate that is the answers'.
    var estimatedOutput: Int {
        let (output, isTooMuch) = max(0, chat.maxTokens ?? Self.usualOutput)
            .multipliedReportingOverflow(by: max(1, chat.choices ?? 1))
        return isTooMuch ? .max : output
    }

    /// The part of the estimate that nobody declared: an answer may be long, and most are not.
    var assumedTokens: Int {
        guard chat.maxTokens == nil else { return 0 }
        let (tokens, overflow) = Self.usualOutput.multipliedReportingOverflow(by: max(1, chat.choices ?? 1))
        return overflow ? .max : tokens
    }

    /// What a picture or a page costs, about.
    private static let tokensPerMedium = 1000
    /// What an answer is taken to be when the client sets no limit.
    private static let usualOutput = 1024
}

/// The member `bulkhead` of a request: for edge, never forwarded.
package struct BulkheadOptions: Sendable, Equatable {
    /// How caches are used.
    package var cache = RouterAPI.CachePolicy.default
    /// The longest the request may take.
    package var timeout: Duration?
    /// A request with an Idempotency-Key goes on when its client leaves. Without one it never does.
    package var outlivesClient = true

    /// All defaults.
    package init() {}

    /// From the body's member; absent is all defaults. What belongs to later parts is refused rather than ignored.
    init(_ body: RequestFields) throws {
        guard let fields = try body.fields("bulkhead") else { return }
        for (name, value) in fields.object
        where !["cache", "on_disconnect", "timeout_ms", "tags"].contains(name) && !value.isNull {
            let later = ["vector_store_ids", "retrieval", "top_k", "conversation"].contains(name)
            throw EdgeError(
                .badRequest, code: later ? "unsupported" : nil,
                message: later
                    ? "\(fields.param(name)) is not supported by this version."
                    : "\(fields.param(name)) is not known; there are: cache, on_disconnect, timeout_ms, tags.",
                param: fields.param(name))
        }
        timeout = try fields.int("timeout_ms", in: 1 ... 86_400_000).map { .milliseconds($0) }
        switch try fields.string("on_disconnect") {
        case nil, "continue": outlivesClient = true
        case "cancel": outlivesClient = false
        default: throw fields.wrong("on_disconnect", "one of: continue, cancel")
        }
        switch try fields.string("cache") {
        case nil, "default": cache = .default
        case "off": cache = .off
        case "refresh": cache = .refresh
        default: throw fields.wrong("cache", "one of: default, off, refresh")
        }
    }

    /// `cache-control` counts where the body says nothing.
    mutating func apply(_ headers: RequestHeaders) {
        guard cache == .default, let control = headers[.cacheControl]?.lowercased() else { return }
        if control.contains("no-store") {
            cache = .noStore
        } else if control.contains("no-cache") {
            cache = .refresh
        }
    }
}
