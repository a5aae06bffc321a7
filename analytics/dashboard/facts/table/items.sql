-- Items of the table: how many it has now, and how many it had and has no longer
SELECT
  count_if(NOT removed) AS in_table,
  count_if(removed) AS removed
FROM orders
