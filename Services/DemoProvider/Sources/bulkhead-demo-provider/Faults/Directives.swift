import Glibc

/// How one answer deviates from a good one. Written as words joined by hyphens, after `demo-` in a model's name, in the
/// header `x-demo`, or as a step of a script: `slow-2s-fail-503`. README.md lists the words.
struct Directives: Sendable, Equatable {
    /// The HTTP status of an error answer.
    var failure: Int?
    /// What an error answer's Retry-After says.
    var retryAfter: Span?
    /// Additional time before the answer begins.
    var delay = Span.zero
    /// The exact length of the answer's text.
    var tokens: Int?
    /// Pace of this stream.
    var tokensPerSecond: Double?
    var ending = Ending.complete

    enum Ending: Sendable, Equatable {
        case complete
        /// Nothing more comes, the connection stays open. Before the status line if `after` is nil.
        case stall(after: Int?)
        /// A reset of the connection. Before the status line if `after` is nil.
        case reset(after: Int?)
        /// The connection is closed in the middle of the message.
        case cut(after: Int)
        /// The HTTP message ends well, the answer does not.
        case end(after: Int)
        /// The dialect's error event.
        case error(after: Int)
        /// Something that is not JSON.
        case garbage(after: Int)
    }

    static let none = Directives()

    /// Longer answers would be a way to fill the memory of the machine.
    static let mostTokens = 20_000

    /// The words after the first `demo-` of a model's name; none if it has none. A word that is not known ends the list:
    /// model names may go on as they like.
    init(model: String) {
        self.init()
        guard let start = Self.end(of: "demo-", in: model) else { return }
        var words = model[start...].split(separator: "-")[...]
        while take(&words) {}
    }

    /// All words of `text`; nil if one is not known. `ok` stands for no deviation.
    init?(text: String) {
        self.init()
        var words = text.split(separator: "-")[...]
        while !words.isEmpty {
            if !take(&words) { return nil }
        }
    }

    private init() {}

    /// Where the first `marker` in `text` ends. By bytes: a search by characters took a tenth of a request's time.
    private static func end(of marker: StaticString, in text: String) -> String.Index? {
        var text = text
        let offset = text.withUTF8 { utf8 -> Int? in
            guard let base = utf8.baseAddress, utf8.count >= marker.utf8CodeUnitCount else { return nil }
            let length = marker.utf8CodeUnitCount
            let place = (0 ... utf8.count - length).first { memcmp(base + $0, marker.utf8Start, length) == 0 }
            return place.map { $0 + length }
        }
        return offset.map { text.utf8.index(text.startIndex, offsetBy: $0) }
    }
}

extension Directives {
    private mutating func take(_ words: inout ArraySlice<Substring>) -> Bool {
        guard let word = words.first else { return false }
        let rest = words.dropFirst()
        let count = rest.first.flatMap { Int($0) }.flatMap { (0 ... Self.mostTokens).contains($0) ? $0 : nil }
        guard let used = takeSetting(word, rest.first, count) ?? takeEnding(word, count) else { return false }
        words = words.dropFirst(used)
        return true
    }

    private mutating func takeSetting(_ word: Substring, _ value: Substring?, _ count: Int?) -> Int? {
        let span = value.flatMap { Span($0) }
        switch word {
        case "ok": return 1
        case "fail":
            guard let count, (400 ... 599).contains(count) else { return nil }
            failure = count
        case "retry":
            guard let span else { return nil }
            retryAfter = span
        case "slow":
            guard let span else { return nil }
            delay = span
        case "tokens":
            guard let count, count > 0 else { return nil }
            tokens = count
        case "tps":
            guard let count, count > 0 else { return nil }
            tokensPerSecond = Double(count)
        default: return nil
        }
        return 2
    }

    private mutating func takeEnding(_ word: Substring, _ count: Int?) -> Int? {
        switch word {
        case "stall": ending = .stall(after: count)
        case "reset": ending = .reset(after: count)
        case "cut": ending = .cut(after: count ?? 0)
        case "end": ending = .end(after: count ?? 0)
        case "error": ending = .error(after: count ?? 0)
        case "garbage": ending = .garbage(after: count ?? 0)
        default: return nil
        }
        return count == nil ? 1 : 2
    }
}
