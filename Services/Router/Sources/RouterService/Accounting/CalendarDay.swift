/// Days of the Gregorian calendar.
package enum CalendarDay {
    /// Seconds from 1970 to the start of `YYYY-MM-DD` in UTC; nil when there is no such day, or it is before 1970.
    package static func seconds(_ text: String) -> Int? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.map(\.count) == [4, 2, 2], text.utf8.allSatisfy({ $0 == UInt8(ascii: "-") || (48 ... 57).contains($0) }),
            let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2]), year >= 1970, (1 ... 12).contains(month)
        else { return nil }
        guard (1 ... length(of: month, in: year)).contains(day) else { return nil }
        let months = (1 ..< month).reduce(0) { $0 + length(of: $1, in: year) }
        return (days(before: year) + months + day - 1) * 86_400
    }

    private static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    private static func length(of month: Int, in year: Int) -> Int {
        month == 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    /// From 1970 to the start of `year`.
    private static func days(before year: Int) -> Int {
        let last = year - 1
        return (year - 1970) * 365 + (last / 4 - last / 100 + last / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400)
    }
}
