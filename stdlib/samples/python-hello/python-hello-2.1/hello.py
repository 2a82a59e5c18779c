"""A greeting, a sample of a package without C."""


def main():
    print("hello")


if __name__ == "__main__":
    main()
