"""Run a record processor, as a child of the MultiLangDaemon: `python -m kcl_flowlog.processor`."""

from kcl_flowlog.processor.shard import main

if __name__ == "__main__":
    main()
