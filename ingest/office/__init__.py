"""What office programs, readers of books and mail write: packages, old formats, sheets, messages and files of data."""
