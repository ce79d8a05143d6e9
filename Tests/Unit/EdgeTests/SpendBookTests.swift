import BulkheadAPI
import BulkheadCore
import EdgeService
import Testing

@Suite("Money session was not told of")
struct SpendBookTests {
    private static let hour = 3_600_000

    private func subject(_ user: String = "", key: String = "k") -> SpendSubject {
        SpendSubject(tenant: "t", keyID: key, user: user, asserted: user.isEmpty ? nil : user)
    }

    private func sum(_ nanousd: Int, at: Int = 0) -> SpentSum {
        SpentSum(requests: 1, inputTokens: 10, outputTokens: 20, nanousd: nanousd, atMS: at)
    }

    private func add(_ book: inout SpendBook, _ sum: SpentSum, of subject: SpendSubject) -> Bool { book.add(sum, of: subject) }

    private func report(_ name: String, _ book: inout SpendBook) -> SpendBook.Report? { book.report(name) }

    private func drain(_ book: inout SpendBook) -> [SessionAPI.SpentAway] {
        var all: [SessionAPI.SpentAway] = []
        var number = 0
        while let report = report("report\(number)", &book) {
            all += report.entries
            book.end()
            number += 1
        }
        return all
    }

    @Test("Requests of one user and quarter of an hour are one sum, however many")
    func addsUp() {
        var book = SpendBook()
        for number in 0 ..< 1000 { #expect(add(&book, sum(3, at: number), of: subject("ada"))) }
        #expect(add(&book, sum(5, at: Self.hour), of: subject("ada")) && add(&book, sum(7), of: subject("bob")))
        #expect(book.count == 3 && book.total.requests == 1002 && book.total.nanousd == 3012)
        let told = drain(&book).sorted { $0.costNanousd < $1.costNanousd }
        #expect(told.map(\.costNanousd) == [5, 7, 3000] && told.map(\.assertedUser) == ["ada", "bob", "ada"])
        #expect(
            told[2].requests == 1000 && told[2].inputTokens == 10_000 && told[2].outputTokens == 20_000 && told[2].atMS == 999)
        #expect(book.count == 0 && book.total == SpentSum())
    }

    @Test("A report is the same until it has arrived, and what comes meanwhile is in the next")
    func sameReport() throws {
        var book = SpendBook()
        #expect(add(&book, sum(3), of: subject()))
        let first = try #require(report("one", &book))
        #expect(add(&book, sum(4), of: subject()))
        let again = try #require(report("two", &book))
        #expect(again.id == "one" && again.entries == first.entries && again.entries.map(\.costNanousd) == [3])
        #expect(book.total.nanousd == 7, "nothing has arrived")
        let taken = book.end()
        #expect(taken.nanousd == 3 && book.total.nanousd == 4)
        #expect(report("three", &book)?.entries.map(\.costNanousd) == [4])
    }

    @Test("At the bound money counts for its key alone; beyond the second one it is not taken")
    func bound() {
        var book = SpendBook(capacity: 10)
        for number in 0 ..< 50 { #expect(add(&book, sum(1), of: subject("user\(number)"))) }
        #expect(book.count == 11)
        for number in 0 ..< 9 { #expect(add(&book, sum(1), of: subject(key: "key\(number)"))) }
        #expect(!add(&book, sum(1), of: subject(key: "another")) && book.count == 20)
        #expect(
            add(&book, sum(1), of: subject("user0")) && add(&book, sum(1), of: subject("user49")),
            "there is room for what is known")
        let told = drain(&book)
        #expect(told.filter { $0.keyID == "k" }.reduce(0) { $0 + $1.costNanousd } == 52)
        #expect(told.first { $0.keyID == "k" && $0.assertedUser == nil }?.costNanousd == 41)
    }

    @Test("A report holds so many sums, and all are told in the end")
    func reports() throws {
        var book = SpendBook()
        for number in 0 ..< 300 { #expect(add(&book, sum(1), of: subject("u\(number)"))) }
        #expect(try #require(report("one", &book)).entries.count == SpendBook.reportEntries)
        #expect(Set(drain(&book).map(\.assertedUser)).count == 300)
    }

    @Test("Whoever shows a token is told of by name, at the bound too")
    func tokens() {
        var book = SpendBook(capacity: 1)
        for name in ["ada", "bob"] {
            let subject = SpendSubject(tenant: "t", keyID: "oidc:\(name)", user: name, isToken: true)
            #expect(add(&book, sum(1), of: subject))
        }
        let told = drain(&book).compactMap(\.identity).sorted { $0.user < $1.user }
        #expect(told.map(\.user) == ["ada", "bob"] && told.map(\.keyID) == ["oidc:ada", "oidc:bob"] && told[0].tenant == "t")
    }

    @Test("Names too long to keep count for the key")
    func longNames() {
        var book = SpendBook()
        #expect(add(&book, sum(1), of: subject(String(repeating: "x", count: 1025))))
        #expect(report("one", &book)?.entries.map(\.assertedUser) == [nil])
    }
}
