/// A provider's name of a model, taken apart.
package struct ModelName: Sendable, Equatable {
    /// Without the packaging of clouds: `eu.anthropic.claude-sonnet-4-5-20250929-v1:0`, `claude-sonnet-4-5@20250929` and
    /// `models/gemini-2.5-pro` become `claude-sonnet-4-5-20250929` and `gemini-2.5-pro`.
    package let bare: String
    /// It names an endpoint of a cloud that stays in a region.
    package let isRegional: Bool

    /// Where an inference profile of Bedrock may run.
    private static let geographies = ["us", "eu", "apac", "jp", "au", "ca", "us-gov", "global"]
    /// Vendors whose models have the same names elsewhere.
    private static let vendors = ["anthropic", "amazon"]

    package init(_ model: String) {
        var name = Self.lastSegment(model)
        var geography: String?
        if let dot = name.firstIndex(of: "."), Self.geographies.contains(String(name[..<dot])) {
            let rest = name[name.index(after: dot)...]
            // `us.` alone proves nothing: only a vendor behind it makes it Bedrock's.
            if rest.contains(".") {
                geography = String(name[..<dot])
                name = rest
            }
        }
        var isBedrock = false
        if let dot = name.firstIndex(of: "."), Self.vendors.contains(String(name[..<dot])) {
            isBedrock = true
            name = Self.withoutRevision(name[name.index(after: dot)...])
        }
        bare = name.contains("@") ? String(name.map { $0 == "@" ? "-" : $0 }) : String(name)
        isRegional = isBedrock && geography != "global"
    }

    /// Behind `models/` (Gemini) or the last slash of an ARN (Bedrock).
    private static func lastSegment(_ model: String) -> Substring {
        guard model.hasPrefix("models/") || model.hasPrefix("publishers/") || model.hasPrefix("arn:"),
            let slash = model.lastIndex(of: "/")
        else { return model[...] }
        return model[model.index(after: slash)...]
    }

    /// Without Bedrock's `-v1:0`, `-v2`, `-v1:0:200k`.
    private static func withoutRevision(_ name: Substring) -> Substring {
        guard let mark = name.lastIndex(of: "-") else { return name }
        let revision = name[name.index(after: mark)...]
        guard revision.first == "v", revision.count > 1,
            revision.dropFirst().allSatisfy({ $0.isASCII && ($0.isWholeNumber || $0 == ":" || $0 == "k") })
        else { return name }
        return name[..<mark]
    }

    /// What a version of the model would be called: `bare` without a date, a revision or `latest` at its end; the longest first.
    package var families: [String] {
        Self.versions.compactMap { version in
            guard bare.utf8.count > version.count else { return nil }
            let tail = bare.utf8.suffix(version.count)
            return zip(tail, version).allSatisfy(Self.matches)
                ? String(decoding: bare.utf8.dropLast(version.count), as: UTF8.self) : nil
        }
    }

    /// `0` stands for a digit. The shortest first.
    private static let versions: [[UInt8]] = ["-001", "-0000", "-latest", "-00-0000", "-00000000", "-0000-00-00"].map {
        Array($0.utf8)
    }

    private static func matches(_ byte: UInt8, _ pattern: UInt8) -> Bool {
        pattern == UInt8(ascii: "0") ? (UInt8(ascii: "0") ... UInt8(ascii: "9")).contains(byte) : byte == pattern
    }
}
