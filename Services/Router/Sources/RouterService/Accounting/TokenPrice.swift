import BulkheadAPI

/// What one token of each kind costs, in pico-dollars: a price of $1.25 per million tokens is 1 250 000.
package struct TokenRates: Sendable, Equatable {
    package var input: Int
    /// Input read from the provider's prompt cache.
    package var cachedInput: Int
    /// Input written to it, to be kept for five minutes, or for as long as the provider likes.
    package var cacheWrite: Int
    /// Input written to it, to be kept for an hour.
    package var cacheWrite1h: Int
    package var output: Int
    package var reasoning: Int
    /// Sound and images in and out; nil when their price is not known.
    package var audioInput: Int?
    /// Sound read from the provider's prompt cache.
    package var cachedAudioInput: Int?
    package var imageInput: Int?
    package var audioOutput: Int?
    package var imageOutput: Int?

    /// Rates of text; images that are shown to a model count as text unless a price of their own is given.
    package init(
        input: Int, output: Int, cachedInput: Int? = nil, cacheWrite: Int? = nil, cacheWrite1h: Int? = nil,
        audioInput: Int? = nil, cachedAudioInput: Int? = nil, audioOutput: Int? = nil, imageOutput: Int? = nil
    ) {
        self.input = input
        self.output = output
        self.cachedInput = cachedInput ?? input
        self.cacheWrite = cacheWrite ?? input
        self.cacheWrite1h = cacheWrite1h ?? cacheWrite ?? input
        reasoning = output
        imageInput = input
        self.audioInput = audioInput
        // Where sound costs as much as text, so does what is kept of it.
        self.cachedAudioInput = cachedAudioInput ?? (audioInput == input ? self.cachedInput : nil)
        self.audioOutput = audioOutput
        self.imageOutput = imageOutput
    }

    /// Every rate multiplied by `numerator / denominator`.
    package func scaled(_ numerator: Int, over denominator: Int) -> TokenRates {
        func scale(_ rate: Int) -> Int { rate * numerator / denominator }
        var scaled = self
        scaled.input = scale(input)
        scaled.cachedInput = scale(cachedInput)
        scaled.cacheWrite = scale(cacheWrite)
        scaled.cacheWrite1h = scale(cacheWrite1h)
        scaled.output = scale(output)
        scaled.reasoning = scale(reasoning)
        scaled.audioInput = audioInput.map(scale)
        scaled.cachedAudioInput = cachedAudioInput.map(scale)
        scaled.imageInput = imageInput.map(scale)
        scaled.audioOutput = audioOutput.map(scale)
        scaled.imageOutput = imageOutput.map(scale)
        return scaled
    }
}

/// The price of a model at one time.
package struct TokenPrice: Sendable, Equatable {
    /// Other rates for all tokens of a request with more input than so many tokens.
    package struct LongContext: Sendable, Equatable {
        package var above: Int
        package var rates: TokenRates

        package init(above: Int, rates: TokenRates) {
            self.above = above
            self.rates = rates
        }
    }

    package var rates: TokenRates
    package var longContext: LongContext?

    package init(_ rates: TokenRates, longContext: LongContext? = nil) {
        self.rates = rates
        self.longContext = longContext
    }

    /// Pico-dollars per token of plain input and of output, e.g. for comparing targets.
    package var input: Int { rates.input }
    package var output: Int { rates.output }

    /// The rates of a request with so many input tokens, cached ones included.
    package func rates(inputTokens: Int) -> TokenRates {
        guard let longContext, inputTokens > longContext.above else { return rates }
        return longContext.rates
    }

    package func scaled(_ numerator: Int, over denominator: Int) -> TokenPrice {
        TokenPrice(
            rates.scaled(numerator, over: denominator),
            longContext: longContext.map { .init(above: $0.above, rates: $0.rates.scaled(numerator, over: denominator)) })
    }

    /// Nano-dollars for `usage`, rounded half up; `Int.max` when it is more. Nil when there are tokens of a kind whose price
    /// is not known. The only place where tokens become money.
    package func cost(_ usage: ChatAPI.Usage) -> Int? {
        let buckets = TokenBuckets(usage)
        let rates = rates(inputTokens: buckets.inputTotal)
        var pico = Int128(0)
        for (tokens, rate) in buckets.priced(with: rates) where tokens > 0 {
            guard let rate else { return nil }
            pico += Int128(tokens) * Int128(rate)
        }
        return Int(clamping: (pico + 500) / 1000)
    }
}
