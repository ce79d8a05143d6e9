import BulkheadAPI

/// Where the bytes of an image, a document or a sound are.
package enum MediaSource: Equatable {
    case url(String)
    /// Base64.
    case data(type: String, base64: String)
    /// Plain text of a document.
    case text(String)

    /// - Throws: for a `data:` URL that is not base64.
    package init(_ part: ChatAPI.Part, _ dialect: String) throws {
        let standard = part.kind == .document ? "application/pdf" : part.kind == .audio ? "audio/wav" : "image/png"
        guard let url = part.url else {
            let type = part.mediaType ?? standard
            self = part.kind == .document && type == "text/plain" ? .text(part.text) : .data(type: type, base64: part.text)
            return
        }
        guard url.hasPrefix("data:") else {
            self = .url(url)
            return
        }
        guard let comma = url.firstIndex(of: ","), let mark = url[..<comma].firstRange(of: ";base64"), mark.upperBound == comma
        else { throw NotExpressible.error("A data: URL that is not base64", in: dialect) }
        let type = url[url.index(url.startIndex, offsetBy: 5) ..< mark.lowerBound].prefix { $0 != ";" }
        self = .data(type: type.isEmpty ? standard : String(type), base64: String(url[url.index(after: comma)...]))
    }

    /// As a URL, a `data:` one if need be; nil for plain text.
    package var asURL: String? {
        switch self {
        case .url(let url): url
        case .data(let type, let base64): "data:\(type);base64,\(base64)"
        case .text: nil
        }
    }
}
