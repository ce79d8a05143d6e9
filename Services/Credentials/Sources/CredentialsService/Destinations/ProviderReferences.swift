import BulkheadConfig

/// The destinations that `router.providers` refers to. This is the one place where the service looks beyond its own section:
/// a destination that a provider refers to may be called by the router without saying so again, and its missing secret is
/// worth a warning. Only the names are read; what is wrong with the router's section is the router's to report.
enum ProviderReferences {
    /// Blocks on the file. Empty when it cannot be read: then this service does not start either.
    static func read(_ path: String) -> Set<String> {
        guard let document = try? ConfigDocument.load(path: path) else { return [] }
        return Set(document.section("router").list("providers").compactMap { $0.optionalString("destination") })
    }
}
