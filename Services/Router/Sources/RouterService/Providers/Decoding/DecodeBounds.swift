import BulkheadJSON

/// Bounds on what is believed of a provider. Beyond them an answer is malformed.
package enum DecodeBounds {
    /// Choices of one answer.
    package static let choices = 128
    /// Tool calls of one choice.
    package static let tools = 1024
    /// Blocks or output items of one answer.
    package static let blocks = 16_384
    /// Tokens in one count: larger ones are cut, so that sums of them stay numbers.
    private static let tokens = 1 << 40

    /// A count of tokens; nil when there is none.
    package static func count(_ json: JSONView?) -> Int? {
        guard let json else { return nil }
        if let number = json.int { return min(max(0, number), tokens) }
        return json.double.map { $0.isFinite ? Int(min(max(0, $0), Double(tokens))) : 0 }
    }

    /// Why an answer ended; nil while it goes on. Some gateways send an empty word with every event until then.
    package static func finish(_ json: JSONView?) -> String? { json?.string.flatMap { $0.isEmpty ? nil : $0 } }

    /// An index of the provider's. - Throws: when it is absent, negative or not below `limit`.
    package static func index(_ json: JSONView?, below limit: Int, of what: String) throws(DecodeFault) -> Int {
        guard let number = json?.int, (0 ..< limit).contains(number) else {
            throw .malformed("sent \(what) with an index that cannot be")
        }
        return number
    }
}
