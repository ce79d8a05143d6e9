import BulkheadAPI
import FoundationEssentials

/// Where the bytes of an image, a document or a sound are.
package enum MediaSource: Equatable {
    case url(String)
    /// Base64.
    case data(type: String, base64: String)
    /// Plain text of a document.
    case text(String)

    /// - Parameter isNative: the provider speaks the client's dialect: it gets the bytes as the client sent them.
    /// - Throws: for a `data:` URL that is not base64, and for a plain text in one that is not UTF-8.
    package init(_ part: ChatAPI.Part, _ dialect: String, isNative: Bool = false) throws {
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
        let base64 = String(url[url.index(after: comma)...])
        guard part.kind == .document, type == "text/plain", !isNative else {
            self = .data(type: type.isEmpty ? standard : String(type), base64: base64)
            return
        }
        guard let bytes = Data(base64Encoded: base64), let text = String(validating: bytes, as: UTF8.self) else {
            throw NotExpressible.error("A text/plain document that is not base64 of UTF-8", in: dialect)
        }
        self = .text(text)
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
