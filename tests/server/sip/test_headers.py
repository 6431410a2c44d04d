from server.sip.headers import Headers


def test_list_elements_are_gathered_across_lines():
    headers = Headers([("v", "a , b"), ("Via", "c")])
    assert headers.items("Via") == ["a", "b", "c"]


def test_replacing_keeps_the_place_of_the_first():
    headers = Headers([("To", "1"), ("Via", "2"), ("From", "3"), ("Via", "4")])
    assert list(headers.replaced("Via", "x", "y")) == [
        ("To", "1"),
        ("Via", "x"),
        ("Via", "y"),
        ("From", "3"),
    ]


def test_replacing_what_is_absent_appends_it():
    assert list(Headers().replaced("To", "x")) == [("To", "x")]
