/// A broken promise of the code under test, for checks that unit tests make too.
package struct Finding: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// - Throws: the finding `what` unless it `holds`.
package func promise(_ holds: Bool, _ what: @autoclosure () -> String) throws(Finding) {
    if !holds { throw Finding(what()) }
}
