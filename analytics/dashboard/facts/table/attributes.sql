-- Attributes of the items in the table, by type: how many items have each, how many different values
-- it has, and its ten most frequent values. Only texts, numbers and truth values are compared. Values
-- are listed of attributes with at most 50 different ones; without :with_values only truth values,
-- because others may name people. `attributes` is the number of attributes, of which the limit may
-- leave some out.
SELECT
  IF(length(attribute) > 200, substr(attribute, 1, 199) || '…', attribute) AS attribute,
  type,
  items,
  distinct_values,
  attributes,
  IF(is_listed, substr(value, 1, 100)) AS value,
  IF(is_listed, value_items, 0) AS value_items
FROM (
  SELECT
    *,
    (:with_values OR type = 'BOOL') AND distinct_values BETWEEN 1 AND 50
      AND (distinct_values < items OR type = 'BOOL') AS is_listed
  FROM (
    SELECT
      *,
      CAST(sum(value_count) OVER (PARTITION BY attribute, type) AS bigint) AS items,
      count(value) OVER (PARTITION BY attribute, type) AS distinct_values,
      max(attribute_number) OVER () AS attributes,
      value_count AS value_items,
      row_number() OVER (PARTITION BY attribute, type ORDER BY value_count DESC, value) AS place
    FROM (
      SELECT
        attribute,
        type,
        value,
        count(*) AS value_count,
        dense_rank() OVER (ORDER BY attribute) AS attribute_number
      FROM (
        SELECT
          attribute,
          map_keys(typed)[1] AS type,
          IF(
            map_keys(typed)[1] IN ('S', 'N', 'BOOL'),
            json_extract_scalar(map_values(typed)[1], '$')
          ) AS value
        FROM (
          SELECT attribute, CAST(typed AS MAP(VARCHAR, JSON)) AS typed
          FROM orders
          CROSS JOIN UNNEST(CAST(json_parse(image) AS MAP(VARCHAR, JSON))) AS t(attribute, typed)
          WHERE NOT removed
        )
      )
      GROUP BY attribute, type, value
    )
  )
)
WHERE place <= IF(is_listed, 10, 1)
ORDER BY items DESC, attribute, type, place
LIMIT 3000
