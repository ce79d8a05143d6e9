import BulkheadAPI

/// The tokens of a request, each in exactly one bucket.
///
/// On the wire totals include their shares (`input_tokens` has cached ones, `output_tokens` has reasoning), and providers make
/// mistakes in both. So each share takes at most what is left of its total, and nothing is negative: the buckets of a side
/// always add up to its total. Shares that may overlap (cached sound whose provider does not tell it apart) count as the first of
/// the order below.
package struct TokenBuckets: Sendable, Equatable {
    package var input = 0
    package var cachedInput = 0
    package var cachedAudioInput = 0
    package var cacheWrite = 0
    package var cacheWrite1h = 0
    package var audioInput = 0
    package var imageInput = 0
    package var output = 0
    package var reasoning = 0
    package var audioOutput = 0
    package var imageOutput = 0

    /// No request has more tokens; above it products of tokens and rates could overflow.
    package static let maximum = 1 << 53

    package init(_ usage: ChatAPI.Usage) {
        var left = min(max(0, usage.inputTokens), Self.maximum)
        var cached = Self.take(usage.cachedInputTokens, from: &left)
        cachedAudioInput = Self.take(usage.cachedAudioInputTokens, from: &cached)
        cachedInput = cached
        var written = Self.take(usage.cacheCreationInputTokens, from: &left)
        cacheWrite1h = Self.take(usage.cacheCreation1hInputTokens, from: &written)
        cacheWrite = written
        audioInput = Self.take(max(0, usage.audioInputTokens) - cachedAudioInput, from: &left)
        imageInput = Self.take(usage.imageInputTokens, from: &left)
        input = left
        left = min(max(0, usage.outputTokens), Self.maximum)
        reasoning = Self.take(usage.reasoningTokens, from: &left)
        audioOutput = Self.take(usage.audioOutputTokens, from: &left)
        imageOutput = Self.take(usage.imageOutputTokens, from: &left)
        output = left
    }

    private static func take(_ share: Int, from left: inout Int) -> Int {
        let taken = min(max(0, share), left)
        left -= taken
        return taken
    }

    package var inputTotal: Int { input + cachedInput + cachedAudioInput + cacheWrite + cacheWrite1h + audioInput + imageInput }
    package var outputTotal: Int { output + reasoning + audioOutput + imageOutput }

    /// Every bucket with its rate.
    func priced(with rates: TokenRates) -> [(tokens: Int, rate: Int?)] {
        [
            (input, rates.input), (cachedInput, rates.cachedInput), (cachedAudioInput, rates.cachedAudioInput),
            (cacheWrite, rates.cacheWrite),
            (cacheWrite1h, rates.cacheWrite1h), (audioInput, rates.audioInput), (imageInput, rates.imageInput),
            (output, rates.output), (reasoning, rates.reasoning), (audioOutput, rates.audioOutput),
            (imageOutput, rates.imageOutput),
        ]
    }
}
