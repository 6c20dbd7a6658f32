"""What Streamlit runs: `phidex ui`, or `streamlit run ui/app.py`. The page itself is `page.py`.

Streamlit makes this file `__main__`, and a process that is spawned from there (`picture.py`) imports it again: so it does
nothing then, and imports nothing.
"""

if __name__ == "__main__":
    from phidex.ui.page import show

    show()
