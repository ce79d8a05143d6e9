import BulkheadConfig

/// How and where a secret goes into a request, as a destination's entry says it and as it is sealed with the secret.
package struct InjectionSpec: Sendable, Hashable, Codable {
    /// The style.
    package var preset: Preset
    /// The header of preset `header`, the parameter of preset `query`; empty otherwise.
    package var field: String

    /// A style with its field.
    package init(preset: Preset, field: String = "") {
        self.preset = preset
        self.field = field
    }

    /// Reads the keys of a destination's entry that say how its secret is injected.
    init(_ section: ConfigSection) {
        preset = section.choice("preset", default: .bearer)
        field = Self.field(section, preset)
    }

    private static func field(_ section: ConfigSection, _ preset: Preset) -> String {
        let header = section.optionalString("header")
        let query = section.optionalString("query")
        if preset != .header, header != nil {
            section.report("header", found: header ?? "", expected: "this key only with preset: header")
        }
        if preset != .query, query != nil {
            section.report("query", found: query ?? "", expected: "this key only with preset: query")
        }
        switch preset {
        case .header:
            guard let header, HeaderSyntax.isName(header), !HeaderHygiene.isFraming(header.lowercased()) else {
                section.report("header", found: header ?? "nothing", expected: "the name of the header the secret goes into")
                return ""
            }
            return header
        case .query:
            guard let query, HeaderSyntax.isName(query) else {
                section.report(
                    "query", found: query ?? "nothing", expected: "the name of the query parameter the secret goes into")
                return ""
            }
            return query
        default: return ""
        }
    }
}
