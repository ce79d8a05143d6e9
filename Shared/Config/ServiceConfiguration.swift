/// The section of one service.
package protocol ServiceConfiguration: Sendable {
    /// The top-level section of the file, e.g. `edge`.
    static var sectionName: String { get }
    /// Reads the section. Never throws: problems are reported into it, and defaults stand in for what cannot be used.
    init(section: ConfigSection, suite: SuiteConfiguration)
}

/// A configuration without problems.
package struct LoadedConfiguration<Service: ServiceConfiguration>: Sendable {
    /// The section `suite`.
    package var suite: SuiteConfiguration
    /// The service's own section.
    package var service: Service
    /// Every setting in force, in order of reading.
    package var effective: [EffectiveValue]
    /// The file it came from, as it was named.
    package var path: String
}

/// Loads `suite` and one service's section. Blocks on the file: at start, or off the event loop.
/// - Throws: `ConfigProblems` with everything that is wrong.
package func loadConfiguration<Service: ServiceConfiguration>(
    _ type: Service.Type, path: String
) throws -> LoadedConfiguration<Service> {
    try configuration(type, of: ConfigDocument.load(path: path))
}

/// As `loadConfiguration(_:path:)`, from the text of a file.
/// - Parameter file: the name to show in problems.
package func loadConfiguration<Service: ServiceConfiguration>(
    _ type: Service.Type, text: String, file: String
) throws -> LoadedConfiguration<Service> {
    try configuration(type, of: ConfigDocument.parse(text, file: file))
}

private func configuration<Service: ServiceConfiguration>(
    _ type: Service.Type, of document: ConfigDocument
) throws -> LoadedConfiguration<Service> {
    let suite = SuiteConfiguration(section: document.section("suite"))
    let service = Service(section: document.section(Service.sectionName), suite: suite)
    let problems = document.finish(knownSections: SuiteConfiguration.sectionNames)
    guard problems.isEmpty else { throw ConfigProblems(problems: problems) }
    return LoadedConfiguration(suite: suite, service: service, effective: document.effective, path: document.file)
}
