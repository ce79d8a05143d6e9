/// Rows read in the order in which they were changed, a page at a time: no transaction is long, however many there are.
enum ChangePage {
    /// Rows of a page at most.
    static let size = 1000

    /// A place in that order. Rows that were changed in the same millisecond are told apart by their name.
    struct Place: Sendable {
        var changedAt: Int64
        var name: String

        /// Before every row.
        static let start = Place(changedAt: -1, name: "")
    }
}
