import Foundation

/// The directory of a safetensors file: 8 bytes little-endian header length, a JSON header, then the tensors' bytes.
/// Everything the header claims is checked against the file before any pointer is made. Source: the safetensors format, README.
package struct Safetensors: Sendable {
    /// One tensor of 32-bit floats.
    package struct Tensor: Sendable {
        /// Where its first byte stands, from the start of the file; a multiple of 4.
        package let offset: Int
        /// Rows, columns, …; every one positive.
        package let shape: [Int]
    }

    private struct Entry: Decodable {
        let dtype: String
        let shape: [Int]
        let offsets: [Int]

        enum CodingKeys: String, CodingKey {
            case dtype, shape
            case offsets = "data_offsets"
        }
    }

    /// `__metadata__` maps names to texts: it is no tensor and decodes as nil.
    private struct Header: Decodable {
        var entries: [String: Entry] = [:]

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Name.self)
            for key in container.allKeys where key.stringValue != "__metadata__" {
                entries[key.stringValue] = try container.decode(Entry.self, forKey: key)
            }
        }
    }

    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private static let maximumHeader = 1 << 20
    private static let maximumTensors = 4096

    /// The F32 tensors by name; others are checked and left out.
    package let tensors: [String: Tensor]

    /// Reads the header of a file's bytes.
    /// - Throws: `ModelError` when the header is malformed, too large, or claims what the file does not hold.
    package init(_ file: UnsafeRawBufferPointer) throws {
        guard file.count >= 8 else { throw ModelError("model.safetensors has \(file.count) bytes, too few for a header") }
        let length = UInt64(littleEndian: file.loadUnaligned(as: UInt64.self))
        guard length <= Self.maximumHeader, Int(length) <= file.count - 8 else {
            throw ModelError("model.safetensors claims a header of \(length) bytes, beyond the file or 1 MiB")
        }
        let start = 8 + Int(length)
        let entries = try Self.entries(UnsafeRawBufferPointer(rebasing: file[8 ..< start]))
        var tensors: [String: Tensor] = [:]
        for (name, entry) in entries {
            tensors[name] = try Self.tensor(name, entry, dataStart: start, dataCount: file.count - start)
        }
        self.tensors = tensors
    }

    /// The header's JSON. Depth is checked first, for the decoder recurses.
    private static func entries(_ header: UnsafeRawBufferPointer) throws -> [String: Entry] {
        guard isShallow(header) else { throw ModelError("model.safetensors nests its header deeper than the format allows") }
        do {
            let entries = try JSONDecoder().decode(Header.self, from: Data(header)).entries
            guard entries.count <= maximumTensors else {
                throw ModelError("model.safetensors lists \(entries.count) tensors, more than \(maximumTensors)")
            }
            return entries
        } catch let error as DecodingError {
            throw ModelError("model.safetensors has a malformed header: \(Self.text(error))")
        }
    }

    /// Brackets are counted inside strings too: a tensor's name has none, so whoever is refused deserves it.
    private static func isShallow(_ header: UnsafeRawBufferPointer) -> Bool {
        var depth = 0
        for byte in header {
            if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") { depth += 1 }
            if byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") { depth -= 1 }
            if depth > 3 { return false }
        }
        return true
    }

    private static func tensor(_ name: String, _ entry: Entry, dataStart: Int, dataCount: Int) throws -> Tensor? {
        let shown = name.prefix(80)
        guard entry.offsets.count == 2, entry.offsets[0] >= 0, entry.offsets[0] <= entry.offsets[1], entry.offsets[1] <= dataCount
        else { throw ModelError("model.safetensors places tensor \(shown) outside the file: it is cut short or damaged") }
        guard entry.dtype == "F32" else { return nil }
        var elements = 1
        for dimension in entry.shape {
            let (product, overflow) = elements.multipliedReportingOverflow(by: dimension)
            guard dimension > 0, !overflow else { throw ModelError("model.safetensors gives tensor \(shown) no possible shape") }
            elements = product
        }
        let (bytes, overflow) = elements.multipliedReportingOverflow(by: 4)
        guard !overflow, bytes == entry.offsets[1] - entry.offsets[0], (dataStart + entry.offsets[0]) % 4 == 0 else {
            throw ModelError("model.safetensors gives tensor \(shown) a place that does not fit its shape")
        }
        return Tensor(offset: dataStart + entry.offsets[0], shape: entry.shape)
    }

    private static func text(_ error: DecodingError) -> String {
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
            .dataCorrupted(let context):
            context.debugDescription
        @unknown default: "not the JSON expected"
        }
    }
}
